/*
 * This module is loaded before a server process (`node --import`). The module records the server's responses
 * for the search for secrets after the run.
 */
import { subscribe } from 'node:diagnostics_channel';
import { ServerResponse } from 'node:http';
import { keepSent } from './answers.ts';

subscribe('http.server.request.start', (message) => {
  if (typeof message !== 'object' || message === null || !('response' in message)) return;
  if (message.response instanceof ServerResponse) keepSent(message.response);
});
