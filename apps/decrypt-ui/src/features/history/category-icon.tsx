import {
  Bookmark,
  Cog,
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
import type { Category } from '../../model/event-kinds.ts';

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

/** The icon of a category. It is grey, because colour means outcome. */
export function CategoryIcon({ category, size = 14 }: { category: Category; size?: number }) {
  const Icon = icons[category];
  return <Icon size={size} strokeWidth={size > 14 ? 1.75 : 2} aria-hidden="true" />;
}
