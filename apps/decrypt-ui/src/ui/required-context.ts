import { type Context, createContext, useContext } from 'react';

/** Returns a new context and a hook that returns its value. The hook throws outside the provider. */
export function requiredContext<T extends object>(provider: string): [Context<T | undefined>, () => T] {
  const context = createContext<T | undefined>(undefined);
  return [
    context,
    () => {
      const value = useContext(context);
      if (value === undefined) throw new Error(`A component was rendered outside <${provider}>.`);
      return value;
    },
  ];
}
