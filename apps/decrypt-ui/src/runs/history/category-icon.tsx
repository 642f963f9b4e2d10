import type { Category } from '@temporal-kms/histories/events';
import {
  Bookmark,
  createLucideIcon,
  Ellipsis,
  Flag,
  GitBranch,
  PencilLine,
  Radio,
  Send,
  Share2,
  SquareTerminal,
  Timer,
} from 'lucide-react';

/** Lucide's `Cog` as one path instead of fourteen elements, because most rows of a history have this icon. */
const Cog = createLucideIcon('cog', [
  [
    'path',
    {
      d:
        'M11 10.27 7 3.34M11 13.73l-4 6.93M12 22v-2M12 2v2M14 12h8M17 20.66l-1-1.73M17 3.34l-1 1.73M2 12h2M20.66 17l-1.73-1' +
        'M20.66 7l-1.73 1M3.34 17l1.73-1M3.34 7l1.73 1M14 12a2 2 0 1 0-4 0 2 2 0 0 0 4 0M20 12a8 8 0 1 0-16 0 8 8 0 0 0 16 0',
      key: 'cog',
    },
  ],
]);

const icons: Readonly<Record<Category, typeof Flag>> = {
  workflow: Flag,
  task: SquareTerminal,
  activity: Cog,
  local: Cog,
  timer: Timer,
  child: GitBranch,
  external: Send,
  signal: Radio,
  update: PencilLine,
  nexus: Share2,
  marker: Bookmark,
  other: Ellipsis,
};

/** A category's icon. The icon is grey, because colours stand for outcomes. */
export function CategoryIcon({ category, size = 14 }: { category: Category; size?: number }) {
  const Icon = icons[category];
  return <Icon size={size} strokeWidth={size > 14 ? 1.75 : 2} aria-hidden="true" />;
}
