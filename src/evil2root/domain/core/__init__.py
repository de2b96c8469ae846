"""Money, instruments, time frames and derived ids: the words every other room uses."""
