// Every page, light and dark and as wide as a phone: nothing that axe finds, nothing wider than the window, and a picture of it.
import { mkdirSync } from 'node:fs';
import { assert, check, checkIn, open, scene, violations } from './lib.mjs';

const views = [
  { name: 'light', options: { theme: 'light' }, axe: true },
  { name: 'dark', options: { theme: 'dark' }, axe: true },
  { name: 'phone', options: { theme: 'light', width: 390, height: 844 } },
];

async function all(request) {
  const list = async (url) => (await (await request.get(url)).json()).items;
  const key = async (k) => (await list(`/v1/sagas?key=${k}`))[0].id;
  const [operation] = await list('/v1/operations');
  const [record] = await list('/v1/quarantine');
  const paths = {
    overview: '/', sagas: '/sagas?label=shop:berlin', 'sagas-empty': '/sagas?key=nobody-has-this', 'saga-compensated': `/sagas/${await key('A-1004')}`,
    'saga-running': `/sagas/${await key('A-1005')}`, 'saga-completed': `/sagas/${await key('A-1002')}`, 'saga-parallel': `/sagas/${await key('P-1')}`,
    'saga-stuck': `/sagas/${scene.stuck}`, rehearsal: `/sagas/${await key('A-1005')}/act/abandon`,
    definitions: '/definitions', definition: '/definitions/order-placement/1', 'definition-parallel': '/definitions/order-parallel/1',
    start: '/definitions/order-placement/1/start', diff: '/definitions/order-placement/diff', participants: '/participants',
    quarantine: `/quarantine?state=${record.state}`, record: `/quarantine/${record.id}`, 'quarantine-many': '/quarantine/many', operations: '/operations', 'operation-new': '/operations/new?attention=any',
    holds: '/holds', audit: '/audit', 'not-found': '/sagas/01a1ffb8-ad2a-7245-b235-24d015600289',
  };
  if (operation) paths.operation = `/operations/${operation.id}`; // the flows make one
  return paths;
}

export async function pages(folder) {
  if (folder) mkdirSync(folder, { recursive: true });
  let list;
  await check('the pages are there', {}, async (page) => { list = await all(page.request); });
  for (const view of views) {
    const opened = await open(view.options);
    for (const [name, path] of Object.entries(list ?? {})) {
      await checkIn(opened, `${name}, ${view.name}`, async (page) => {
        const answer = await page.goto(path);
        assert(answer.status() === (name === 'not-found' ? 404 : 200), `${path}: ${answer.status()}`);
        await page.waitForFunction(() => !document.querySelector('#theme')?.hidden);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        assert(over <= 0, `${over} px wider than the window`);
        if (folder) await page.screenshot({ path: `${folder}/${name}-${view.name}.png`, fullPage: view.name !== 'phone' });
        if (!view.axe) return;
        const wrong = await violations(page, view.name === 'dark');
        assert(wrong.length === 0, wrong.join('\n'));
      });
    }
    await opened.context.close();
  }
}
