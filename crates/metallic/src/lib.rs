//! Makes every expensive GPU object exactly once.
