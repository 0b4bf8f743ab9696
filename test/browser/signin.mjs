// Signing in and out: without JavaScript, light and dark and as wide as a phone, and what a role is not offered.
import { mkdirSync } from 'node:fs';
import { assert, check, checkIn, open, scene, violations } from './lib.mjs';

const at = (page) => { const u = new URL(page.url()); return u.pathname + u.search; };

async function signIn(page, key, wanted = '/') {
  await page.goto(wanted);
  assert(at(page).startsWith('/sign-in'), `${wanted} shows ${at(page)} to nobody`);
  await page.getByLabel('API key').fill(key);
  await page.getByRole('button', { name: 'Sign in with the key' }).click();
}

export async function signin() {
  const folder = scene.screenshots;
  if (folder) mkdirSync(folder, { recursive: true });
  await check('one signs in without JavaScript, and is where one wanted to be', { javaScript: false }, async (page) => {
    await signIn(page, 'sk_0000000000000000_0', '/sagas?status=running');
    assert(await page.getByRole('alert').textContent().then((t) => t.includes('This is no API key')), 'nobody says that the key is wrong');
    assert((await page.getByLabel('API key').inputValue()) === '', 'the wrong key is sent back');
    await page.getByLabel('API key').fill(scene.keys.operator);
    await page.getByRole('button', { name: 'Sign in with the key' }).click();
    assert(at(page) === '/sagas?status=running', `one is at ${at(page)}`);
    const viewer = await page.locator('.viewer').textContent();
    assert(viewer.includes('key:operator') && viewer.includes('operator'), `the header says ${viewer}`);
    const [cookie] = await page.context().cookies();
    assert(cookie.httpOnly && cookie.sameSite === 'Lax', 'the cookie can be read by scripts, or goes to other sites');
    await page.getByRole('button', { name: 'Sign out' }).click();
    assert(at(page) === '/sign-in', `after signing out one is at ${at(page)}`);
    await page.context().addCookies([cookie]);
    await page.goto('/sagas');
    assert(at(page).startsWith('/sign-in'), 'a cookie that was kept is still good');
  });
  await check('a link leads nowhere else', {}, async (page) => {
    await signIn(page, scene.keys.viewer, '/sign-in?next=https://evil.example/');
    assert(page.url() === `${scene.url}/`, `one is at ${page.url()}`);
  });
  await check('a viewer is offered nothing that it may not do, and refused what it tries', {}, async (page) => {
    await signIn(page, scene.keys.viewer, '/holds');
    assert(await page.locator('main form[method=post]').count() === 0, 'a viewer is offered to hold');
    assert(await page.getByRole('navigation').getByRole('link', { name: 'Audit' }).count() === 0, 'a viewer is offered the audit');
    const status = (path, init) => page.evaluate(([p, i]) => fetch(p, i).then((r) => r.status), [path, init]);
    assert(await status('/holds', { method: 'POST', body: new URLSearchParams({ scope: 'tenant', reason: 'r' }).toString(), headers: { 'Content-Type': 'application/x-www-form-urlencoded' } }) === 403, 'the form is taken');
    assert(await status('/v1/holds', { method: 'POST', body: '{"scope":"tenant","reason":"r"}', headers: { 'Content-Type': 'application/json' } }) === 403, 'the API takes it');
    assert(await status('/v1/sagas') === 200, 'a viewer cannot read by the session');
  });
  for (const [name, options] of Object.entries({ light: { theme: 'light' }, dark: { theme: 'dark' }, phone: { width: 390, height: 844 } })) {
    const opened = await open(options);
    const look = async (page, what) => {
      const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert(over <= 0, `${over} px wider than the window`);
      if (folder) await page.screenshot({ path: `${folder}/${what}-${name}.png` });
      const wrong = await violations(page, name === 'dark');
      assert(wrong.length === 0, wrong.join('\n'));
    };
    await checkIn(opened, `the sign-in page, ${name}`, async (page) => {
      await page.goto('/sign-in');
      await look(page, 'sign-in');
      await page.getByLabel('API key').fill('sk_0');
      await page.keyboard.press('Enter');
      await page.getByRole('alert').waitFor();
      await look(page, 'sign-in-wrong');
    });
    await checkIn(opened, `who is signed in, ${name}`, async (page) => {
      await signIn(page, scene.keys.operator);
      await page.getByRole('button', { name: 'Sign out' }).waitFor();
      await look(page, 'signed-in');
    });
    await opened.context.close();
  }
}
