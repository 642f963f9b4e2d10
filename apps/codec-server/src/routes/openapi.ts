import { reply } from '../http/reply.ts';
import type { Routes } from '../http/routes.ts';
import { openApiDocument } from '../openapi/document.ts';

/** @param pathPrefix as configured: empty or `/…` */
export function openApiRoutes(routes: Routes, pathPrefix: string): void {
  let written: string | undefined;
  routes.get('/openapi.json', 'metadata', (c) => {
    written ??= JSON.stringify(openApiDocument(pathPrefix));
    return reply(c, written, 'application/json');
  });
}
