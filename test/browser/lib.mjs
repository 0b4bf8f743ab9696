// What the tests share: a browser, and a line of JSON for each thing that held or did not.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core'), 'utf8');

export const scene = JSON.parse(readFileSync(0, 'utf8'));

const browser = await chromium.launch({ executablePath: scene.chromium, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
export const close = () => browser.close();

export const assert = (held, what) => { if (!held) throw new Error(what); };

// open gives a page of a browser of its own. complaints gathers what the page complains of: errors, and what its policy blocked.
export async function open({ theme = 'light', width = 1280, height = 800, javaScript = true } = {}) {
  const context = await browser.newContext({
    viewport: { width, height }, colorScheme: theme, baseURL: scene.url, timezoneId: 'Europe/Berlin', locale: 'en-GB',
    javaScriptEnabled: javaScript, reducedMotion: 'reduce', permissions: ['clipboard-read', 'clipboard-write'],
  });
  context.setDefaultTimeout(60000); // the machine may be busy
  const page = await context.newPage();
  const complaints = [];
  page.on('pageerror', (e) => complaints.push(e.message));
  // A page that is slow to come on a busy machine is asked for again with the next hint.
  const patient = (text) => text.startsWith('htmx: htmx:error: timeout');
  // The browser itself reports answers such as 404 and 422, which are pages too.
  page.on('console', (m) => { if (m.type() === 'error' && !m.text().startsWith('Failed to load resource: the server responded') && !patient(m.text())) complaints.push(m.text()); });
  page.on('dialog', (d) => { complaints.push(`a dialog: ${d.message()}`); d.dismiss(); });
  page.on('request', (r) => { if (!r.url().startsWith(scene.url) && !r.url().startsWith('data:')) complaints.push(`asked ${r.url()}`); });
  return { context, page, complaints };
}

// check runs one test in a browser of its own and says how it went.
export async function check(name, options, run) {
  const opened = await open(options);
  await checkIn(opened, name, run);
  await opened.context.close();
}

// checkIn is check in a browser that is open already.
export async function checkIn({ page, complaints }, name, run) {
  const began = Date.now();
  let error = '';
  complaints.length = 0;
  try {
    await run(page);
    assert(complaints.length === 0, `the page complains: ${complaints.slice(0, 3).join(' | ')}`);
  } catch (e) {
    error = `${e.message}\nat ${page.url()}${complaints.length ? `\nthe page complains: ${complaints.slice(0, 3).join(' | ')}` : ''}`;
  }
  console.error(`${name}: ${Date.now() - began} ms`);
  console.log(JSON.stringify({ name, ok: error === '', error: error.replace(/\u001b\[\d+m/g, '') }));
}

const rules = { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] };
const colourRules = { runOnly: { type: 'rule', values: ['color-contrast', 'link-in-text-block'] } };

// violations is what axe finds wrong with a page: all of it, or where only the colours differ from a page that it has seen, those.
export async function violations(page, coloursOnly) {
  await page.evaluate(axeSource);
  const found = await page.evaluate((which) => window.axe.run(document, which), coloursOnly ? colourRules : rules);
  return found.violations.map((v) => `${v.id} (${v.impact}): ${v.nodes.slice(0, 2).map((n) => `${n.target.join(' ')}: ${n.failureSummary.replace(/\s+/g, ' ').slice(0, 200)}`).join(' | ')}`);
}
