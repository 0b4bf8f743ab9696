import { close, scene } from './lib.mjs';
import { flows } from './flows.mjs';
import { hostile } from './hostile.mjs';
import { keyboard } from './keyboard.mjs';
import { pages } from './pages.mjs';
import { saga } from './saga.mjs';

const parts = { flows, saga, keyboard, hostile, pages: () => pages(scene.screenshots) };
for (const name of scene.parts ?? Object.keys(parts)) await parts[name]();
await close();
