import type { TestProject } from 'vitest/node';
import { startFixtureServer } from '../fixtures/server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    fixtures: string;
  }
}

/** One server of fixtures for all tests of the page; each test takes a namespace of its own. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startFixtureServer();
  project.provide('fixtures', server.url);
  return () => server.close();
}
