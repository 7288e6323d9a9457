"""The background service: one supervised pipeline, controlled by `realtime-bg ctl` and
config.yaml."""
