import type { TestProject } from 'vitest/node';
import { startFixtureServer } from '../fixtures/server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    fixtures: string;
  }
}

/** Starts the fixture server that all page tests share. Each test uses another namespace. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startFixtureServer();
  project.provide('fixtures', server.url);
  return () => server.close();
}
