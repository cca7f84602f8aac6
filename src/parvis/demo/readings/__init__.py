"""What each kind of device reads: pure in (seed, time, story), for one instant or months of hours alike."""
