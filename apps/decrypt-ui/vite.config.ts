import { readdirSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, gzip } from 'node:zlib';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

const codecServer = `http://127.0.0.1:${process.env['DEV_CODEC_PORT'] ?? 8088}`;
// The proxy gives the page and the API one origin, so development needs no CORS rule. The server allows loopback hosts.
const proxied = { target: codecServer, changeOrigin: true };
const proxy = { '/api': proxied, '/encode': proxied, '/decode': proxied };

/**
 * A build that the development server serves instead of the sources. Tests use a build, because its pages load few
 * files.
 */
const built = process.env['DEV_DASHBOARD_DIR'];

/** Serves `/config.json` in development, with the port of Temporal's Web UI from the environment. */
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

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

/** Serves the files of a build, and `index.html` for every other path, as a deployment does. */
function devBuild(folder: string): Plugin {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (name) => extname(name) !== '',
  );
  const files = new Set(names.map((name) => `/${name.replaceAll('\\', '/')}`));
  return {
    name: 'dev-build',
    apply: 'serve',
    configureServer({ middlewares }) {
      middlewares.use((request, response, next) => {
        const { pathname } = new URL(request.url ?? '/', 'http://dashboard');
        if (Object.keys(proxy).some((path) => pathname.startsWith(path))) {
          next();
          return;
        }
        const name = files.has(pathname) ? pathname : '/index.html';
        response.setHeader('content-type', types[extname(name)] ?? 'application/octet-stream');
        readFile(join(folder, name)).then((content) => response.end(content), next);
      });
    },
  };
}

const compressors = { '.br': promisify(brotliCompress), '.gz': promisify(gzip) };

/** Writes a compressed copy of each script and style in `assets/` for servers that use it. Fonts are already compressed. */
function compressed(): Plugin {
  return {
    name: 'compressed',
    apply: 'build',
    async writeBundle({ dir }) {
      const folder = join(dir ?? '', 'assets');
      const names = (await readdir(folder)).filter((name) => ['.js', '.css'].includes(extname(name)));
      for (const name of names) {
        const content = await readFile(join(folder, name));
        for (const [suffix, compress] of Object.entries(compressors)) {
          const small = await compress(content);
          if (small.length < content.length) await writeFile(join(folder, name + suffix), small);
        }
      }
    },
  };
}

/** Writes the names of the files of the application and its two main pages into `index.html`, for `public/early.js`. */
function pageFiles(): Plugin {
  return {
    name: 'page-files',
    apply: 'build',
    transformIndexHtml: {
      order: 'post',
      handler(html, { bundle = {} }) {
        const filesOf = (page: string) =>
          Object.keys(bundle)
            .filter((name) => name.startsWith(`assets/${page}-`))
            .join(' ');
        const attributes = `data-app="${filesOf('main')}" data-list="${filesOf('workflow-list-page')}" data-run="${filesOf('run-page')}"`;
        return html.replace('src="/early.js"', `$& ${attributes}`);
      },
    },
  };
}

/** The part of the bundler's interface that `pageChunks` uses. */
interface Modules {
  getModuleInfo(id: string): { readonly importers: readonly string[] } | null;
}

/** The application, and the pages that it loads on demand. */
const entries = ['main', 'runs/list/workflow-list-page', 'runs/page/run-page'];
/** Matches libraries, including Vite's helper that loads the files of dynamic imports. */
const isLibrary = /\/node_modules\/|vite\/preload-helper/;

/**
 * Makes a chunk for each page, with the modules that only this page imports statically. Modules that several pages import
 * are in the application's chunk, which every page loads. Libraries are in a separate chunk (src/start.ts). By default, the
 * bundler makes a separate chunk for each combination of dynamic imports that share a module, which results in dozens
 * of small files that compress less well.
 */
function pageChunks() {
  const known = new Map<string, ReadonlySet<string>>();
  /** Returns the entries from which a module can be reached. */
  function reachedFrom(id: string, modules: Modules): ReadonlySet<string> {
    const found = known.get(id);
    if (found) return found;
    const reached = new Set<string>();
    // Visits all importers again for each module, because modules import each other in circles, and partial results
    // would be wrong.
    const seen = new Set([id]);
    for (const module of seen) {
      const entry = entries.find((each) => module.endsWith(`/src/${each}.tsx`));
      if (entry) reached.add(entry);
      for (const importer of modules.getModuleInfo(module)?.importers ?? []) seen.add(importer);
    }
    known.set(id, reached);
    return reached;
  }
  return entries.map((entry) => ({
    name(id: string, modules: Modules) {
      // The index of `codec-api` imports all its modules, but each module belongs in the chunks of the pages that use it.
      if (id.includes('/packages/codec-api/src/')) return null;
      const reached = reachedFrom(id, modules);
      const isShared = reached.size > 1 || reached.has('main');
      if (entry === 'main') return isShared ? (isLibrary.test(id) ? 'libraries' : entry) : null;
      return !isShared && reached.has(entry) ? (entry.split('/').at(-1) ?? entry) : null;
    },
  }));
}

export default defineConfig({
  // Scripts and styles refer to each other by relative addresses, so a build works below every base path
  // (src/base-path.ts).
  base: './',
  experimental: {
    // Servers also return `index.html` for deeper paths, where relative addresses would not work, so its addresses are
    // absolute. A server below another base path replaces these addresses (`pageBelow` in codec-api).
    renderBuiltUrl: (name, { hostType }) => (hostType === 'html' ? `/${name}` : { relative: true }),
  },
  plugins: [react(), devConfig(), ...(built ? [devBuild(built)] : []), pageFiles(), compressed()],
  // Uses a separate cache, because this server would otherwise empty the cache of a running server that
  // serves the sources.
  ...(built && { optimizeDeps: { noDiscovery: true, include: [] }, cacheDir: 'node_modules/.vite-built' }),
  server: { host: '127.0.0.1', port: Number(process.env['DEV_UI_PORT'] ?? 5173), strictPort: true, proxy },
  // A worker in the default format could not load parts of itself on demand.
  worker: { format: 'es' },
  // No asset is inlined as a data URL, because the page's content security policy permits fonts only from 'self'.
  build: {
    target: 'es2024',
    manifest: true,
    // Source maps contain the whole source, so a build contains them only on request.
    sourcemap: process.env['BUILD_SOURCE_MAPS'] === '1',
    assetsInlineLimit: 0,
    // test/build.test.ts limits the size of each page.
    chunkSizeWarningLimit: 1000,
    rolldownOptions: { output: { codeSplitting: { groups: pageChunks() } } },
  },
});
