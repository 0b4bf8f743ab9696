import { close, scene } from './lib.mjs';
import { flows } from './flows.mjs';
import { hostile } from './hostile.mjs';
import { keyboard } from './keyboard.mjs';
import { pages } from './pages.mjs';
import { saga } from './saga.mjs';
import { signin } from './signin.mjs';

const parts = { flows, saga, keyboard, hostile, pages: () => pages(scene.screenshots) };
// What takes a server of its own is done when it is asked for.
const apart = { signin };
for (const name of scene.parts ?? Object.keys(parts)) await (parts[name] ?? apart[name])();
await close();
