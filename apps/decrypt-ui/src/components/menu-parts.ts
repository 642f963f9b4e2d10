import { createContext, type ReactNode, useContext } from 'react';

export interface ChoiceProps<T extends string> {
  readonly title?: string;
  readonly value: T;
  readonly options: readonly { readonly value: T; readonly text: ReactNode; readonly note?: ReactNode }[];
  readonly onChange: (value: T) => void;
}

export interface ToggleProps {
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
  readonly children: ReactNode;
  readonly note?: ReactNode;
}

export interface ActionProps {
  readonly onClick: () => void;
  readonly disabled?: boolean;
  readonly icon?: ReactNode;
  readonly children: ReactNode;
  readonly note?: ReactNode;
}

/** The module with the contents of menus. A menu provides it to its children once it has been loaded. */
export type Parts = typeof import('./menu-popup.tsx');

export const PartsContext = createContext<Parts | undefined>(undefined);

export function useParts(): Parts {
  const parts = useContext(PartsContext);
  if (!parts) throw new Error('The entries of a menu must be inside a Menu.');
  return parts;
}
