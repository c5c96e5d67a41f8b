// A field with suggestions: what is typed narrows thousands of them to a few that are drawn.

import { useEffect, useId, useMemo, useRef, useState } from "preact/hooks";

const MOST = 50;

export type Option = { value: string; text: string; note?: string };

type Props = {
  label: string;
  value: string;
  options: Option[];
  choose: (value: string) => void;
  /** What is typed counts although it is no suggestion. */
  isFree?: boolean;
  isShown?: boolean;
  placeholder?: string;
  size?: number;
};

export function Choice({ label, value, options, choose, isFree = false, isShown = false, placeholder = "", size = 16 }: Props) {
  const id = useId();
  const box = useRef<HTMLUListElement>(null);
  const [typed, type] = useState<string | null>(null);
  const [at, move] = useState(0);
  const own = useMemo(() => options.find((one) => one.value === value)?.text ?? value, [options, value]);
  const isOpen = typed !== null;
  const found = useMemo(() => (typed === null ? [] : narrowed(options, typed === own ? "" : typed)), [options, typed, own]);
  useEffect(() => box.current?.children[at]?.scrollIntoView({ block: "nearest" }), [at, isOpen]);
  const take = (one: string) => {
    type(null);
    if (one !== value) choose(one);
  };
  const leave = () => {
    if (typed === null) return;
    const exact = options.find((one) => one.text.toLowerCase() === typed.trim().toLowerCase());
    take(exact ? exact.value : isFree ? typed.trim() : value);
  };
  const pressed = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (typed === null) type(own);
      else move(Math.max(0, Math.min(found.length - 1, at + (event.key === "ArrowDown" ? 1 : -1))));
    } else if (event.key === "Enter" && typed !== null) {
      event.preventDefault();
      const one = found[at];
      if (one && !(isFree && typed !== own && at === 0 && !one.text.toLowerCase().startsWith(typed.toLowerCase()))) take(one.value);
      else leave();
    } else if (event.key === "Escape" && typed !== null) {
      event.preventDefault();
      type(null);
    }
  };
  return (
    <div class="choice">
      <label for={id} class={isShown ? "" : "hidden"}>
        {label}
      </label>
      <input
        id={id}
        role="combobox"
        aria-expanded={isOpen && found.length > 0}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={isOpen && found[at] ? `${id}-${at}` : undefined}
        autoComplete="off"
        spellcheck={false}
        size={size}
        placeholder={placeholder}
        value={typed ?? own}
        onFocus={(event) => event.currentTarget.select()}
        onClick={() => typed === null && (type(own), move(0))}
        onInput={(event) => (type(event.currentTarget.value), move(0))}
        onKeyDown={pressed}
        onBlur={leave}
      />
      <ul id={`${id}-list`} role="listbox" aria-label="Suggestions" ref={box} hidden={!isOpen || found.length === 0}>
        {found.map((one, place) => (
          <li key={one.value} id={`${id}-${place}`} role="option" aria-selected={place === at} onPointerDown={(event) => (event.preventDefault(), take(one.value))}>
            <span>{one.text}</span>
            {one.note && <small>{one.note}</small>}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** The suggestions with all that was typed, those that begin with it first. */
function narrowed(options: Option[], typed: string): Option[] {
  const wanted = typed.trim().toLowerCase().replaceAll("_", " ");
  const [first, rest]: [Option[], Option[]] = [[], []];
  for (const one of options) {
    const place = one.text.toLowerCase().replaceAll("_", " ").indexOf(wanted);
    if (place === 0) first.push(one);
    else if (place > 0) rest.push(one);
    if (first.length >= MOST) break;
  }
  return [...first, ...rest].slice(0, MOST);
}
