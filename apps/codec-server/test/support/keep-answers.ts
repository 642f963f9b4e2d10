/* Loaded before a server of its own process (`node --import`): what it answers is kept for the search after the run. */
import { subscribe } from 'node:diagnostics_channel';
import { ServerResponse } from 'node:http';
import { keepSent } from './answers.ts';

subscribe('http.server.request.start', (message) => {
  if (typeof message !== 'object' || message === null || !('response' in message)) return;
  if (message.response instanceof ServerResponse) keepSent(message.response);
});
