"""The preview window's keys in words: for its help, the page, the manual and hot keys."""

HELP = (
    ("q  Esc", "quit"),
    ("b  B", "next, previous background"),
    ("0", "no background: show the room"),
    ("u", "blur the room"),
    ("x", "erase the person: show the room alone"),
    ("m", "mirror"),
    ("e", "next engine"),
    ("p", "take a clean plate, for the engine plate"),
    ("z", "follow head and shoulders; the whole picture"),
    ("o", "only me: nobody else; everybody"),
    ("v", "virtual camera on, off"),
    ("space", "pause: show a card, release the camera"),
    ("f", "freeze the picture"),
    ("l", "layers: hide, show"),
    ("i", "improve the light on the person"),
    ("F1...F12", "first to twelfth preset"),
    ("a", "show the alpha (preview only)"),
    ("c", "before and after (preview only)"),
    ("[  ]", "threshold of the edge down, up"),
    (",  .", "feather of the edge down, up"),
    ("r", "record, stop recording"),
    ("s", "save a snapshot (PNG)"),
    ("d", "statistics (preview only)"),
    ("click", "pick a person, or the screen's colour for the engine chroma"),
    ("h", "this help"),
)
# What each of two keys does that share a line of HELP, for buttons.
TWINS = {
    "b": "next background",
    "B": "previous background",
    "[": "threshold of the edge down",
    "]": "threshold of the edge up",
    ",": "less feather",
    ".": "more feather",
}

PRESET_KEYS = tuple(f"F{number}" for number in range(1, 13))
# What each single key does.
WORDS = {
    key.replace("space", " "): TWINS.get(key, text) for keys, text in HELP for key in keys.split()
} | {key: f"preset {number}" for number, key in enumerate(PRESET_KEYS, 1)}
_OF_THE_WINDOW = ("q", "Esc", "h", "click", "F1...F12")
# The keys that are of use without the window.
ANYWHERE = {
    key: text
    for key, text in WORDS.items()
    if key not in _OF_THE_WINDOW and "preview only" not in text
}
