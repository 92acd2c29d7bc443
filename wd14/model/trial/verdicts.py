"""What trials found, remembered by model and machine in the cache folder."""
