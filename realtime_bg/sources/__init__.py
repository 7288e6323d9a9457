"""Sources by name."""

SOURCES = {
    "camera": "realtime_bg.sources.camera:CameraSource",
    "video": "realtime_bg.sources.video:VideoSource",
    "image": "realtime_bg.sources.image:ImageSource",
    "demo": "realtime_bg.sources.demo:DemoSource",
}
