"""Changes to the settings of a running program, from keys, `ctl`, the page and config.yaml."""
