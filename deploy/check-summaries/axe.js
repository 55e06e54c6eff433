// Holds pages against axe-core: NODE_PATH=.../node_modules node axe.js FILE...   Exit code 3 if it finds a violation.
const fs = require('fs');
const { JSDOM } = require('jsdom');
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

(async () => {
  let found = 0;
  for (const file of process.argv.slice(2)) {
    // The page's own policy forbids scripts, this one too.
    const html = fs.readFileSync(file, 'utf8').replace(/<meta http-equiv="Content-Security[^>]*>/, '');
    const { window } = new JSDOM(html, { runScripts: 'outside-only', pretendToBeVisual: true });
    window.eval(axe);
    // jsdom paints nothing, so contrast cannot be told here.
    const report = await window.axe.run(window.document, { runOnly: tags, rules: { 'color-contrast': { enabled: false } } });
    found += report.violations.length;
    for (const violation of report.violations) console.log(`${file}: ${violation.id}, ${violation.nodes.length} times: ${violation.help}`);
    console.log(`${file}: ${report.passes.length} rules pass, ${report.violations.length} are broken`);
    window.close();
  }
  process.exitCode = found ? 3 : 0;
})();
