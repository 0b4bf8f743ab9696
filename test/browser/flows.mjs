// What operators do, from start to end, without a reload.
import { assert, check, scene } from './lib.mjs';

const fill = async (page, id, token) => {
  await page.goto('/definitions/order-placement/1/start');
  for (const [name, value] of Object.entries({
    order_id: id, customer_id: 'c-1', amount_cents: '4200', payment_token: token, ship_to: 'Main St 1', 'items.0.sku': 'sku-1', 'items.0.quantity': '2',
  })) await page.locator(`[name="input.${name}"]`).fill(value);
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await page.waitForURL(/\/sagas\/[0-9a-f-]{36}$/);
};

// stays marks the document, so that a reload would show.
const stays = (page) => page.evaluate(() => { window.same = true; });
const stayed = async (page) => assert(await page.evaluate(() => window.same), 'the page was loaded again');
const status = (page, word) => page.locator('.head .chip', { hasText: word }).first().waitFor();

export async function flows() {
  await check('start from the form, and watch it move without a reload', {}, async (page) => {
    await fill(page, 'F-1', 'tok_slow'); // payments waits for 8 s
    await stays(page);
    await status(page, 'Running');
    await status(page, 'Completed');
    await stayed(page);
  });

  await check('a refused payment is seen to be compensated', {}, async (page) => {
    await fill(page, 'F-2', 'tok_declined');
    await status(page, 'Compensated');
    assert((await page.locator('main').innerText()).includes('card_declined'), 'it must say why');
  });

  await check('the form says what is wrong beside the field', {}, async (page) => {
    await page.goto('/definitions/order-placement/1/start');
    await page.locator('[name="input.order_id"]').fill('F-3');
    await page.locator('[name="input.amount_cents"]').fill('many');
    await page.getByRole('button', { name: 'Start', exact: true }).click();
    await page.getByText('It was not started').waitFor();
    assert(await page.locator('[name="input.order_id"]').inputValue() === 'F-3', 'what was written must stay');
  });

  await check('a list follows what happens, and keeps the selection', {}, async (page) => {
    await page.goto('/sagas');
    await stays(page);
    const first = page.locator('input[data-select]').first();
    await first.check();
    const id = await first.getAttribute('value');
    const started = await page.request.post('/v1/sagas', { data: { saga: 'order-placement', input: { order_id: 'F-4', customer_id: 'c', amount_cents: 1, payment_token: 'tok_ok', items: [{ sku: 'sku-1', quantity: 1 }] } } });
    assert(started.status() === 202, `the start was answered ${started.status()}: ${await started.text()}`);
    await page.getByRole('link', { name: 'F-4', exact: true }).waitFor();
    await stayed(page);
    assert(await page.locator(`input[data-select][value="${id}"]`).isChecked(), 'the row that was selected must stay selected');
    assert(await page.locator('[data-selected]').innerText() === '1', 'one is selected');
  });

  await check('retry a refused compensation with a rehearsal, then waive it', {}, async (page) => {
    await page.goto(`/sagas/${scene.stuck}/act/retry?step=book-desk`);
    await page.getByText('What will be sent').waitFor();
    assert((await page.locator('main').innerText()).includes('Unbook.v1'), 'the rehearsal must name the command');
    await page.locator('#act [name=reason]').fill('the desk is free now');
    await page.locator('#act form button[type=submit], #act form button.primary').first().click();
    await page.waitForURL(new RegExp(`/sagas/${scene.stuck}([?#].*)?$`));
    await status(page, 'Suspended'); // it was refused again
    await page.goto(`/sagas/${scene.stuck}/act/waive?step=book-desk`);
    await page.locator('#act [name=reason]').fill('we let it be');
    await page.locator('#act form button[type=submit], #act form button.primary').first().click();
    await page.waitForURL(new RegExp(`/sagas/${scene.stuck}([?#].*)?$`));
    await status(page, 'Compensated');
    assert((await page.locator('main').innerText()).toLowerCase().includes('residue'), 'the certificate must say what was left');
  });

  await check('act on all that match, rehearsed first', {}, async (page) => {
    await page.goto('/operations/new?attention=any&action=retry');
    await page.locator('[name=reason]').fill('shipping is back');
    await page.getByRole('button', { name: 'Rehearse' }).click();
    await page.getByText('Rehearsal: retry').waitFor();
    await page.getByRole('button', { name: 'Do it' }).click();
    await page.waitForURL(/\/operations\/\d+/);
    await page.locator('.head .chip', { hasText: 'completed' }).waitFor();
  });

  await check('act on those that were picked', {}, async (page) => {
    await page.goto('/sagas?key=A-1005');
    await page.locator('input[data-select]').first().check();
    await page.getByRole('button', { name: 'Act on these…' }).click();
    await page.locator('[name=action]').selectOption('pause');
    await page.locator('[name=reason]').fill('look at it first');
    await page.getByRole('button', { name: 'Rehearse' }).click();
    await page.getByText('1 saga matches: one picked saga').waitFor();
    await page.getByRole('button', { name: 'Do it' }).click();
    await page.waitForURL(/\/operations\/\d+/);
    await page.locator('.head .chip', { hasText: 'completed' }).waitFor();
    await page.locator('section', { hasText: 'Progress' }).getByText('1 done').waitFor();
    await page.goto('/sagas?key=A-1005');
    await page.locator('tr[data-row]', { hasText: 'A-1005' }).getByText('paused').or(page.locator('tr[data-row]', { hasText: 'keeps failing' })).first().waitFor();
  });

  await check('redrive a quarantined record, rehearsed first', {}, async (page) => {
    await page.goto('/quarantine');
    await page.locator('section', { hasText: 'Records' }).locator('tr[data-row] a').first().click();
    await page.locator('[name=reason]').fill('try it again');
    await page.getByRole('button', { name: 'Rehearse a redrive' }).click();
    await page.getByText('Rehearsal: redrive').or(page.getByRole('alert')).first().waitFor();
    const confirm = page.getByRole('button', { name: 'Redrive it' });
    if (await confirm.count()) {
      await confirm.click();
      await page.getByText('What was done').waitFor();
    }
    await page.locator('[name=reason]').fill('nobody can read it');
    await page.getByRole('button', { name: 'Rehearse a discard' }).click();
    await page.getByRole('button', { name: 'Discard it' }).click();
    await page.getByText('It was discarded.').waitFor();
  });

  await check('discard all records of a cause, rehearsed first', {}, async (page) => {
    await page.goto('/quarantine');
    const records = page.locator('section', { has: page.getByRole('heading', { name: 'Records', exact: true }) }).locator('tr[data-row]');
    const all = await records.count();
    const cause = page.locator('tr', { has: page.getByRole('link', { name: /^Act on all of/ }) }).first();
    const n = Number(await cause.locator('td.n').first().innerText());
    assert(n > 0 && n < all, `${n} of ${all} for one cause`);
    await cause.getByRole('link', { name: /^Act on all of/ }).click();
    await page.locator('[name=action]').selectOption('discard');
    await page.locator('[name=why]').fill('nobody can read them');
    await page.getByRole('button', { name: 'Rehearse' }).click();
    await page.getByText(`Rehearsal: discard ${n} record`).waitFor();
    await page.getByRole('button', { name: 'Discard them' }).click();
    await page.getByText(`discard: ${n} record`).waitFor();
    await page.goto('/quarantine');
    assert(await records.count() === all - n, 'those of the other cause must wait still');
  });

  await check('filter by how sagas ended, and turn the order round', {}, async (page) => {
    await page.goto('/sagas');
    await page.locator('#f-verdict').selectOption('residue');
    await page.waitForURL(/verdict=residue/);
    await page.locator('tr[data-row]', { hasText: 'V-1' }).or(page.locator(`#s-${scene.stuck}`)).first().waitFor();
    assert(await page.locator('tr[data-row]').count() === 1, 'one saga has left something behind');
    await page.goto('/sagas?label=shop:berlin');
    const keys = () => page.locator('tr[data-row] a.strong').allInnerTexts();
    const newest = await keys();
    await page.getByRole('columnheader', { name: 'Started' }).getByRole('link').click();
    await page.waitForURL(/order=oldest/);
    assert((await keys()).join() === newest.reverse().join(), 'the oldest must come first');
  });

  await check('hold a participant, and end it', {}, async (page) => {
    await page.goto('/holds');
    await page.locator('#h-name').fill('shipping');
    await page.locator('#hold-reason').fill('maintenance');
    await page.getByRole('button', { name: 'Hold', exact: true }).click();
    await page.getByText('The hold is set.').waitFor();
    await page.getByRole('button', { name: /^End the hold on participant shipping/ }).click();
    await page.locator('dialog[open] [name=reason]').fill('done');
    await page.getByRole('button', { name: 'End it' }).click();
    await page.getByText('Nothing is held.').waitFor();
  });

  await check('limit a participant, correct what was typed wrong, and remove the limit', {}, async (page) => {
    await page.goto('/holds');
    await page.locator('#l-name').fill('shipping');
    await page.locator('#l-commands').fill('many');
    await page.locator('#limit-reason').fill('a small warehouse');
    await page.getByRole('button', { name: 'Set the limit' }).click();
    await page.getByRole('alert').getByText('want a whole number above 0').waitFor();
    await page.locator('#l-commands').fill('5');
    await page.getByRole('button', { name: 'Set the limit' }).click();
    await page.getByText('The limit is set.').waitFor();
    await page.getByRole('cell', { name: /^\d+ of 5$/ }).waitFor();
    await page.getByRole('button', { name: 'Remove the limit on participant shipping' }).click();
    await page.locator('dialog[open] [name=reason]').fill('a larger warehouse');
    await page.getByRole('button', { name: 'Remove it' }).click();
    await page.getByText('Nothing is limited.').waitFor();
  });

  await check('search finds a saga by its key and by its id', {}, async (page) => {
    await page.goto('/');
    await page.keyboard.press('/');
    await page.keyboard.type('A-1003');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/sagas\/[0-9a-f-]{36}$/);
    const id = new URL(page.url()).pathname.split('/').pop();
    await page.goto(`/search?q=${id}`);
    await page.waitForURL(new RegExp(`/sagas/${id}$`));
  });

  await check('everything can be read without JavaScript', { javaScript: false }, async (page) => {
    for (const path of ['/', '/sagas', `/sagas/${scene.stuck}`, '/definitions', '/participants', '/quarantine', '/operations', '/holds', '/audit']) {
      const answer = await page.goto(path);
      assert(answer.status() === 200, `${path}: ${answer.status()}`);
      assert((await page.locator('main').innerText()).length > 40, `${path} is empty`);
    }
    await page.goto('/sagas?status=completed');
    assert(await page.locator('time').first().innerText() !== '', 'times must be there');
  });
}
