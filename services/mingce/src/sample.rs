//! The invented sample register.

use anyhow::Result;

/// Loads the sample through the import that users have.
pub async fn load(_server: &str) -> Result<()> {
    Ok(())
}
