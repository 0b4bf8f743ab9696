// The page of one saga: live, by keys, and acts that are rehearsed in its dialog.
import { assert, check } from './lib.mjs';

const order = (id, token, more = {}) => ({
  saga: 'order-placement',
  input: { order_id: id, customer_id: 'c-1', amount_cents: 4200, payment_token: token, ship_to: 'Main St 1', items: [{ sku: 'sku-1', quantity: 2 }], ...more },
});

const start = async (page, body) => (await (await page.request.post('/v1/sagas', { data: body })).json()).id;

// reads waits until the API says that a saga has a status.
async function reads(page, id, status) {
  for (let i = 0; i < 100; i++) {
    const saga = await (await page.request.get(`/v1/sagas/${id}`)).json();
    if (saga.status === status) return;
    await page.waitForTimeout(150);
  }
  throw new Error(`${id} never got ${status}`);
}

const chip = (page, word) => page.locator('.head .chip', { hasText: word }).first();

export async function saga() {
  await check('an update keeps scroll, what is open, zoom and focus', { height: 480 }, async (page) => {
    await page.goto(`/sagas/${await start(page, order('G-1', 'tok_slow'))}`);
    await chip(page, 'Running').waitFor();
    await page.evaluate(() => { window.same = true; });
    await page.locator('.sg-step > summary').nth(0).click();
    await page.locator('[data-zoom=in]').click();
    await page.locator('[data-zoom=in]').focus();
    await page.locator('#h-steps').evaluate((e) => e.scrollIntoView({ block: 'start' }));
    const before = await page.locator('#h-steps').evaluate((e) => e.getBoundingClientRect().top);
    await chip(page, 'Completed').waitFor();
    assert(await page.evaluate(() => window.same), 'the page was loaded again');
    assert(await page.locator('.sg-step').nth(0).evaluate((e) => e.open), 'the step must stay open');
    await page.waitForFunction(() => document.querySelector('.g-plot svg').getAttribute('width') === '200%');
    assert(await page.evaluate(() => document.activeElement.dataset.zoom) === 'in', 'focus must stay');
    const now = await page.locator('#h-steps').evaluate((e) => e.getBoundingClientRect().top);
    assert(Math.abs(now - before) < 120, `what was read moved from ${before} to ${now}`);
  });

  await check('a refused payment is seen to go back, both ways in one picture', {}, async (page) => {
    const id = await start(page, order('G-2', 'tok_declined'));
    await page.goto(`/sagas/${id}`);
    await page.getByText('It did not go through, and has been undone.').waitFor();
    assert(await page.locator('.sg-wide .p-box.p-back').count() === 1, 'one step was undone');
    const label = await page.locator('.sg-wide svg.sg-pic').getAttribute('aria-label');
    assert(label.includes('charge-payment refused: card_declined') && label.includes('Back: create-order undone'), label);
    assert((await page.locator('.sg-cert').innerText()).includes('Nothing is left of it.'), 'the certificate says so');
  });

  await check('a step of the picture is reached and opened by keys', {}, async (page) => {
    const id = await start(page, order('G-3', 'tok_ok'));
    await reads(page, id, 'completed');
    await page.goto(`/sagas/${id}`);
    await page.locator('.sg-wide').focus();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    assert((await page.evaluate(() => document.activeElement.querySelector('title')?.textContent ?? '')).startsWith('Forward: charge-payment'), 'the second box has focus');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.getElementById('step-charge-payment').open);
    await page.locator('.g-plot').focus();
    await page.keyboard.press('+');
    assert(await page.locator('.g-plot svg').getAttribute('width') === '200%', '+ zooms');
    await page.keyboard.press('0');
    assert(await page.locator('.g-plot svg').getAttribute('width') === '100%', '0 shows all');
  });

  await check('retry a refused compensation in the dialog, then waive it', {}, async (page) => {
    const id = await start(page, { saga: 'desk-visit', input: { visit: 'V-9' } });
    await reads(page, id, 'suspended');
    await page.goto(`/sagas/${id}`);
    const act = async (verb, reason) => {
      await page.locator('.sg-lead').getByRole('link', { name: verb }).first().click();
      const dialog = page.locator('#act-dialog[open]');
      await dialog.getByText('What will happen').waitFor();
      const text = await dialog.innerText();
      await dialog.locator('[name=reason]').fill(reason);
      await dialog.getByRole('button', { name: verb, exact: true }).click();
      await page.waitForURL(new RegExp(`/sagas/${id}$`));
      return text;
    };
    const said = await act('Retry', 'ask once more');
    assert(said.includes('Unbook.v1') && said.includes('clerk'), `the rehearsal must name the command: ${said}`);
    await chip(page, 'Suspended').waitFor(); // it is refused again
    assert((await act('Waive', 'the desk stays booked')).includes('waived'), 'the rehearsal must say what becomes of the step');
    await page.getByText('It did not go through, and not everything could be undone.').waitFor();
    assert((await page.locator('.sg-cert').innerText()).includes('stays; an operator accepted it'), 'the certificate says so');
  });

  await check('what was rehearsed is what is done', {}, async (page) => {
    const id = await start(page, order('G-4', 'tok_lost'));
    await page.goto(`/sagas/${id}/act/pause`);
    await page.locator('#act [name=reason]').fill('look at it first');
    await page.request.post(`/v1/sagas/${id}/pause`, { data: { reason: 'another was faster' } });
    await page.locator('#act').getByRole('button', { name: 'Pause', exact: true }).click();
    await page.getByText('Nothing was done: the saga has moved since you looked.').waitFor();
    assert((await page.locator('#act').innerText()).includes('another was faster'), 'it says what happened meanwhile');
    assert((await page.locator('#act').innerText()).includes('That would be refused'), 'it is paused already');
    assert(await page.locator('#act [name=reason]').count() === 0, 'there is nothing to confirm');
  });
}
