import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

const codecServer = `http://127.0.0.1:${process.env['DEV_CODEC_PORT'] ?? 8088}`;
// With a proxy the browser sees one origin, so development needs no CORS rule. The server allows loopback hosts.
const proxied = { target: codecServer, changeOrigin: true };

/** Serves `/config.json` in development. The port of Temporal's Web UI is known from the environment only. */
function devConfig(): Plugin {
  const port = process.env['DEV_REMOTE'] === '1' ? undefined : process.env['DEV_TEMPORAL_UI_PORT'];
  const config = { apiUrl: '', ...(port ? { temporalUiUrl: `http://127.0.0.1:${port}` } : {}) };
  return {
    name: 'dev-config',
    apply: 'serve',
    configureServer(server) {
      server.middlewares.use('/config.json', (_, response) => {
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify(config));
      });
    },
  };
}

/** The part of the bundler's interface that `pageChunks` uses. */
interface Modules {
  getModuleInfo(id: string): { readonly importers: readonly string[] } | null;
}

/**
 * A chunk for each page: the modules that its entry imports statically and that no earlier page imports. By default, the
 * bundler makes a chunk for every set of lazy parts that share a module: dozens of small files, which compress less.
 */
const pageChunks = (entries: readonly string[]) =>
  entries.map((entry, index) => {
    const known = new Map<string, boolean>();
    const belongs = (id: string, modules: Modules): boolean => {
      const found = known.get(id);
      if (found !== undefined) return found;
      // Until it is known; modules may import each other in a circle.
      known.set(id, false);
      const importers = modules.getModuleInfo(id)?.importers ?? [];
      const result =
        id.endsWith(`/src/${entry}.tsx`) || importers.some((importer) => belongs(importer, modules));
      known.set(id, result);
      return result;
    };
    return {
      name: (id: string, modules: Modules) =>
        belongs(id, modules) ? (entry.split('/').at(-1) ?? entry) : null,
      priority: entries.length - index,
    };
  });

export default defineConfig({
  plugins: [react(), devConfig()],
  server: {
    host: '127.0.0.1',
    port: Number(process.env['DEV_UI_PORT'] ?? 5173),
    strictPort: true,
    proxy: { '/api': proxied, '/encode': proxied, '/decode': proxied },
  },
  // No asset is inlined as a data URL, because the policy's font-src is 'self'.
  build: {
    target: 'es2024',
    manifest: true,
    sourcemap: true,
    assetsInlineLimit: 0,
    // test/build.test.ts limits the size of each page.
    chunkSizeWarningLimit: 1000,
    rolldownOptions: { output: { codeSplitting: { groups: pageChunks(['main', 'features/run/run-page']) } } },
  },
});
