import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

/* Builds the dashboard into a folder as `buildDashboard` in `scripts` describes: `node build.ts FOLDER` */

const [into = ''] = process.argv.slice(2);
const root = fileURLToPath(new URL('../..', import.meta.url));
const built = await build({ root, logLevel: 'error', build: { outDir: join(into, 'dist') } });
const files = [built].flat().flatMap((each) => ('output' in each ? each.output : []));
const modules = files.flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []));
await writeFile(join(into, 'modules.json'), JSON.stringify(modules));
