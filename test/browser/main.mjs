import { close, scene } from './lib.mjs';
import { flows } from './flows.mjs';
import { hostile } from './hostile.mjs';
import { keyboard } from './keyboard.mjs';
import { pages } from './pages.mjs';

await flows();
await keyboard();
await hostile();
await pages(scene.screenshots);
await close();
