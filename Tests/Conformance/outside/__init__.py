"""What the conformance tests share: clients strict enough to notice, and rude enough to be a test."""
