import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { createControlApp } from '../src/control/app.ts';
import { iamMethods, keyManagementMethods, locationMethods, projectMethods } from '../src/service/methods.ts';
import { start } from './support/running.ts';

const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
const section = (from: string, to: string): string => readme.slice(readme.indexOf(from), readme.indexOf(to));

/** Returns the first group of each match in a part of the README. */
const named = (from: string, to: string, pattern: RegExp): Set<string | undefined> =>
  new Set([...section(from, to).matchAll(pattern)].map(([, name]) => name));

describe('the README', () => {
  it('lists exactly the RPCs that exist', () => {
    expect(named('## What it emulates', '- **Encrypt and', /`([A-Z]\w+)`/g)).toEqual(
      new Set(Object.keys({ ...keyManagementMethods, ...iamMethods, ...locationMethods, ...projectMethods })),
    );
  });

  it('lists exactly the routes of the control API', async () => {
    const { emulator } = await start();
    const app = createControlApp(emulator, { address: '', identities: {} });
    const routes = app.routes
      .filter(({ method }) => method !== 'ALL')
      .map(({ method, path }) => `${method} ${path.replace(/:resource.*/, 'RESOURCE')}`);
    expect(named('## Control API', 'A fault affects', /`((?:GET|PUT|POST|DELETE) \/[^`?]+)/g)).toEqual(
      new Set(routes),
    );
  });
});
