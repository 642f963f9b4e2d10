import { type LoadHook, stripTypeScriptTypes } from 'node:module';

/**
 * Strips types before Jazzer.js instruments a module, because Jazzer.js's loader can parse only JavaScript.
 */
export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context);
  if (loaded.format !== 'module-typescript') return loaded;
  const { source } = loaded;
  const text = typeof source === 'string' ? source : new TextDecoder().decode(source ?? undefined);
  return { ...loaded, format: 'module', source: stripTypeScriptTypes(text) };
};
