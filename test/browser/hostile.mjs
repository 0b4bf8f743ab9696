// Texts that want to be more than text stay text, on every page that shows them.
import { assert, check, scene } from './lib.mjs';

// letters are those of a text, also where the page writes out what would steer it.
const letters = (text) => text.replace(/\\u[0-9a-f]{4}/g, '').replace(/[^A-Za-z]/g, '');

export async function hostile() {
  await check(`${scene.hostile.length} hostile payloads are text`, {}, async (page) => {
    const texts = new Map(scene.sagas.map((id, i) => [`/sagas/${id}`, scene.hostile[i]]));
    for (const path of ['/', '/sagas', '/audit', '/quarantine', ...texts.keys()]) {
      await page.goto(path);
      const found = await page.evaluate(() => {
        for (const e of document.querySelectorAll('main details')) e.open = true;
        return {
          pwned: window.pwned, text: document.body.textContent,
          made: document.querySelectorAll('main script, main iframe, main base, main link, main img, main [onerror], main [onload], main [ontoggle]').length,
          // SVG's links have no href of their own as text.
          foreign: [...document.querySelectorAll('a[href], form[action]')].map((e) => e.getAttribute('href') ?? e.getAttribute('action')).filter((to) => new URL(to, location.href).origin !== location.origin),
        };
      });
      assert(found.pwned === undefined, `${path}: a payload ran`);
      assert(found.made === 0, `${path}: a payload became an element`);
      assert(found.foreign.length === 0, `${path}: a payload became a link: ${found.foreign}`);
      const text = texts.get(path) ?? '';
      assert(letters(found.text).includes(letters(text).slice(0, 60)), `${JSON.stringify(text).slice(0, 80)} must be shown as it is`);
    }
  });

  await check('a quarantined record is text', {}, async (page) => {
    await page.goto('/quarantine?state=discarded');
    await page.locator('section', { hasText: 'Records' }).locator('tr[data-row] a').first().click();
    await page.getByText('<script>window.pwned=1</script>').first().waitFor();
    assert(await page.evaluate(() => window.pwned) === undefined, 'it ran');
  });

  await check('the policy lets no inline script and no foreign page in', {}, async (page) => {
    const answer = await page.goto('/');
    const headers = answer.headers();
    const policy = headers['content-security-policy'];
    assert(policy.includes("default-src 'none'") && policy.includes("frame-ancestors 'none'"), policy);
    assert(!policy.includes('unsafe'), policy);
    assert(headers['x-content-type-options'] === 'nosniff', 'nosniff');
    assert(await page.locator('[style], style, script:not([src])').count() === 0, 'nothing is inline');
  });
}
