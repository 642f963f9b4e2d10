/** Where the reader was in a grid: the active row, and the scroll position in CSS pixels. */
export interface Place {
  readonly active: string | undefined;
  readonly top: number;
}

const MAX_PLACES = 50;
const KEY = 'decrypt-ui.places';

/** By the name of a grid: where the reader was when the grid left the screen, or the page was reloaded. */
const left = takeStored();
/** By the name of a grid on the screen: where the reader is. */
const present = new Map<string, () => Place>();

export const placeIn = (name: string): Place | undefined => left.get(name);

/** Whether a grid that left the screen was scrolled: it comes back so. */
export const isScrolled = (name: string): boolean => (left.get(name)?.top ?? 0) > 0;

/** Remembers the place in a grid on the screen when it leaves the screen, which the returned function reports. */
export function keepPlace(name: string, place: () => Place): () => void {
  present.set(name, place);
  return () => {
    remember(name, place());
    if (present.get(name) === place) present.delete(name);
  };
}

function remember(name: string, place: Place) {
  left.delete(name);
  left.set(name, place);
  const [oldest] = left.keys();
  if (left.size > MAX_PLACES && oldest !== undefined) left.delete(oldest);
}

// Only while a page is reloaded: another tab or a later visit begins at the top.
if (typeof window !== 'undefined')
  addEventListener('pagehide', () => {
    for (const [name, place] of present) remember(name, place());
    try {
      sessionStorage.setItem(KEY, JSON.stringify([...left]));
    } catch {
      // Without storage the reloaded page begins at the top.
    }
  });

/** Returns the places that this page has stored before the reload, and removes them from the storage. */
function takeStored(): Map<string, Place> {
  try {
    const stored = sessionStorage.getItem(KEY) ?? '[]';
    sessionStorage.removeItem(KEY);
    return new Map(JSON.parse(stored));
  } catch {
    return new Map();
  }
}
