/**
 * Path of the folder that contains `index.html`, with a trailing slash, for example `/` or `/tools/kms/`. The address
 * of this script contains it, so a build works in every folder: the script is in `assets/`, and in development in
 * `src/`.
 */
export const basePath = new URL(/* @vite-ignore */ '..', import.meta.url).pathname;
