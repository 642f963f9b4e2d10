/** Where the user was in a grid: the active row, and the scroll position in CSS pixels. */
export interface Place {
  readonly active: string | undefined;
  readonly top: number;
}

const MAX_PLACES = 50;
const KEY = 'decrypt-ui.places';

/**
 * The user's last place in each grid that has left the screen, by grid name. The places survive a reload of the page.
 */
const left = takeStored();
/** Functions that return the user's current place in each grid on the screen, by grid name. */
const present = new Map<string, () => Place>();

export const placeIn = (name: string): Place | undefined => left.get(name);

/** Returns whether a grid was scrolled when it left the screen. The scroll position of such a grid is restored. */
export const isScrolled = (name: string): boolean => (left.get(name)?.top ?? 0) > 0;

/** Tracks the user's place in a grid on the screen. Call the returned function when the grid leaves the screen. */
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

// `sessionStorage` keeps the places only for a reload: another tab or a later visit starts at the top.
if (typeof window !== 'undefined')
  addEventListener('pagehide', () => {
    for (const [name, place] of present) remember(name, place());
    try {
      sessionStorage.setItem(KEY, JSON.stringify([...left]));
    } catch {
      // Without storage, the reloaded page starts at the top.
    }
  });

/** Returns the places that this page stored before a reload, and removes them from storage. */
function takeStored(): Map<string, Place> {
  try {
    const stored = sessionStorage.getItem(KEY) ?? '[]';
    sessionStorage.removeItem(KEY);
    return new Map(JSON.parse(stored));
  } catch {
    return new Map();
  }
}
