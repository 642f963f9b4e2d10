import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const codecServer = `http://127.0.0.1:${process.env['DEV_CODEC_PORT'] ?? 8088}`;
// The browser then sees one origin, so that no CORS rule is needed in development. The server allows loopback hosts.
const proxied = { target: codecServer, changeOrigin: true };

export default defineConfig({
  plugins: [react()],
  server: {
    host: '127.0.0.1',
    port: Number(process.env['DEV_UI_PORT'] ?? 5173),
    strictPort: true,
    proxy: { '/api': proxied, '/encode': proxied, '/decode': proxied },
  },
  build: { target: 'es2024', manifest: true, sourcemap: true },
});
