// The main tasks by keys alone.
import { assert, check } from './lib.mjs';

export async function keyboard() {
  await check('walk through the pages and a list by keys alone', {}, async (page) => {
    await page.goto('/');
    for (const [key, path] of [['s', '/sagas'], ['d', '/definitions'], ['p', '/participants'], ['q', '/quarantine'], ['b', '/operations'], ['h', '/holds'], ['a', '/audit'], ['o', '/']]) {
      await page.keyboard.press('g');
      await page.keyboard.press(key);
      await page.waitForURL((url) => url.pathname === path);
    }
    await page.goto('/sagas');
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('k');
    assert(await page.locator('tr.at').count() === 1, 'one row is current');
    await page.keyboard.press('x');
    assert(await page.locator('tr.at input[data-select]').isChecked(), 'x selects the row');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/sagas\/[0-9a-f-]{36}$/);
    await page.keyboard.press('?');
    await page.locator('dialog#help[open]').waitFor();
    await page.keyboard.press('Escape');
    assert(await page.locator('dialog#help[open]').count() === 0, 'Escape closes the help');
  });

  await check('start a saga by keys alone', {}, async (page) => {
    await page.goto('/definitions/order-placement/1/start');
    await page.locator('h1').click();
    for (const text of ['K-1', 'c-1', '100', 'tok_ok', 'Main St 1', 'sku-1', '1']) {
      let name = '';
      do {
        await page.keyboard.press('Tab');
        name = await page.evaluate(() => document.activeElement.name || '');
      } while (!name.startsWith('input.'));
      await page.keyboard.type(text);
    }
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/sagas\/[0-9a-f-]{36}$/);
  });

  await check('the content can be reached past the navigation, and focus is seen', {}, async (page) => {
    await page.goto('/sagas');
    await page.keyboard.press('Tab');
    assert(await page.evaluate(() => document.activeElement.textContent) === 'Skip to the content', 'the first stop skips the navigation');
    await page.keyboard.press('Enter');
    assert(await page.evaluate(() => document.activeElement.id) === 'main', 'it leads to the content');
    await page.keyboard.press('Tab');
    assert(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle) !== 'none', 'focus must be seen');
  });

  await check('the theme is chosen, and kept', {}, async (page) => {
    await page.goto('/');
    await page.getByRole('button', { name: /Theme/ }).click();
    await page.getByRole('button', { name: /Theme/ }).click();
    await page.goto('/sagas');
    assert(await page.evaluate(() => document.documentElement.dataset.theme) === 'dark', 'dark was chosen');
    assert(await page.evaluate(() => getComputedStyle(document.body).backgroundColor) === 'rgb(19, 22, 25)', 'the page is dark');
  });
}
