//! Scratch runner.
mod generate;
fn main() -> anyhow::Result<()> {
    use std::io::Write;
    let arguments: Vec<String> = std::env::args().collect();
    let number = |place: usize, usual: u64| arguments.get(place).and_then(|a| a.parse().ok()).unwrap_or(usual);
    let mut options = generate::Options::new(number(1, 5_000), number(2, 1), arguments[3].clone().into());
    options.years = number(4, 15) as u16;
    let start = std::time::Instant::now();
    let report = generate::run(&options, &|_, _, _| {})?;
    let mut out = std::io::stdout();
    for file in &report.files {
        writeln!(out, "{:>10} {:>12} {}", file.rows, file.bytes, file.path.display())?;
    }
    writeln!(
        out,
        "{} students, {} rows of the state, {} bytes, {:.2} s",
        number(1, 5_000),
        report.files.iter().filter(|f| f.path.starts_with("state")).map(|f| f.rows).sum::<u64>(),
        report.files.iter().map(|f| f.bytes).sum::<u64>(),
        start.elapsed().as_secs_f64()
    )?;
    Ok(())
}
