"""The decoders that may run on files and streams from outside: what people's videos contain.

FFmpeg has more than 500 decoders. Most are for formats of games and programs of the past, and much
of their code is old, hardly used and rarely tested; they are left out on purpose.
"""

from av.codec import codecs_available

# By FFmpeg's names of decoders. Decoders of the system's hardware are never chosen by default.
VIDEO = frozenset(
    (
        # what cameras, phones and the web use
        *("h264", "hevc", "av1", "libdav1d", "libaom-av1", "vp8", "vp9", "libvpx", "libvpx-vp9"),
        *("mpeg4", "mjpeg", "h261", "h263", "h263p", "h263i", "theora", "libtheora"),
        # discs, broadcasts and old files
        *("mpeg1video", "mpeg2video", "mpegvideo", "dvvideo", "flv", "vp6", "vp6a", "vp6f"),
        *("msmpeg4v1", "msmpeg4v2", "msmpeg4", "wmv1", "wmv2", "wmv3", "vc1"),
        *("cinepak", "svq1", "svq3", "rv10", "rv20", "rv30", "rv40"),
        # editing, archives and screen recordings
        *("prores", "dnxhd", "cfhd", "hap", "jpeg2000", "libopenjpeg", "magicyuv"),
        *("ffv1", "ffvhuff", "huffyuv", "utvideo", "qtrle"),
        *("rawvideo", "v210", "v210x", "v308", "v408", "v410", "r210", "yuv4"),
        # pictures and animations
        *("png", "apng", "gif", "webp", "libwebp"),
    )
)
AUDIO = frozenset(
    (
        *("aac", "aac_fixed", "aac_latm", "libfdk_aac", "alac", "flac", "opus", "libopus"),
        *("vorbis", "libvorbis", "mp1", "mp1float", "mp2", "mp2float", "mp3", "mp3float"),
        *("mp3adu", "mp3adufloat", "mp3on4", "mp3on4float"),
        *("ac3", "ac3_fixed", "eac3", "dca", "truehd", "mlp", "s302m", "dvaudio"),
        *("wmav1", "wmav2", "wmapro", "wmavoice", "wmalossless"),
        *("amrnb", "amrwb", "libopencore_amrnb", "libopencore_amrwb", "gsm", "gsm_ms", "speex"),
        *("libspeex", "g722", "g726", "ilbc", "qcelp", "qdm2", "nellymoser"),
        *("cook", "sipr", "real_144", "real_288", "atrac3", "tta", "wavpack"),
        *(name for name in codecs_available if name.startswith(("pcm_", "adpcm_"))),
    )
)
WHITELIST = ",".join(sorted(VIDEO | AUDIO))  # FFmpeg's option "codec_whitelist"
