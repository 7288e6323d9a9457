"""The service: one supervised pipeline, steered by `realtime-bg ctl` and by files."""
