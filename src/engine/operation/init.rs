//! `init`: the generated files, from the manifest alone.

use super::super::context::Context;
use super::super::event::FileStatus;
use super::super::generate::generate_or_check;
use super::super::halt::Halt;

pub(super) async fn run(context: &Context, check: bool) -> Result<String, Halt> {
    let document = context.core.document()?;
    let name = if check { "compare files" } else { "generate files" };
    let changes =
        context.step(name, async |_| generate_or_check(context, document.manifest(), check)).await?;
    let stale = changes.iter().filter(|change| change.status != FileStatus::Same).count();
    match (check, stale) {
        (_, 0) => Ok("the generated files are up to date".into()),
        (true, stale) => Err(Halt::failed(
            format!(
                "{stale} generated {} not what the manifest means",
                if stale == 1 { "file is" } else { "files are" }
            ),
            "run `swiftdeploy init`",
        )),
        (false, written) => Ok(format!("{written} {} written", if written == 1 { "file" } else { "files" })),
    }
}
