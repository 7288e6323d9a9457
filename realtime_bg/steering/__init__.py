"""Changes to the settings of a running program: keys, `ctl`, page and config.yaml."""
