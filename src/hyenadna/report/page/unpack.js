// What the page holds compressed (gzip, then base64) as text again: at once, since a sheet to be
// printed waits for nothing, as the browser's own DecompressionStream would have it do.
"use strict";

const bytesOf = (text) => Uint8Array.fromBase64?.(text) ?? Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

const unpack = (() => {
  const LONGEST = 15; // bits of a code
  // Lengths and distances: how many each symbol begins with, and how many bits are added to that.
  const steps = (extra, first) => {
    let from = first;
    return extra.map((bits) => { const at = from; from += 1 << bits; return { from: at, bits }; });
  };
  const pairs = (count, each) => Array.from({ length: count }, (_, index) => Math.max(0, Math.floor(index / each) - 1));
  const LENGTHS = [...steps(pairs(28, 4), 3), { from: 258, bits: 0 }];
  const DISTANCES = steps(pairs(30, 2), 1);
  const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
  const FIXED = [
    Array.from({ length: 288 }, (_, symbol) => (symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8)),
    Array(30).fill(5),
  ];

  function reversed(code, bits) {
    let turned = 0;
    for (let index = 0; index < bits; index += 1) turned |= ((code >> index) & 1) << (bits - 1 - index);
    return turned;
  }

  // A table by the next bits of the stream: symbol * 16 + how many bits it takes.
  function table(lengths) {
    const longest = Math.max(1, ...lengths);
    const entries = new Uint16Array(1 << longest);
    let code = 0;
    for (let bits = 1; bits <= longest; bits += 1) {
      for (let symbol = 0; symbol < lengths.length; symbol += 1) {
        if (lengths[symbol] !== bits) continue;
        for (let at = reversed(code, bits); at < entries.length; at += 1 << bits) entries[at] = symbol * (LONGEST + 1) + bits;
        code += 1;
      }
      code <<= 1;
    }
    return { entries, mask: entries.length - 1 };
  }

  function inflated(packed, start, size) {
    const out = new Uint8Array(size);
    let [at, to, held, count] = [start, 0, 0, 0];

    function take(bits) {
      while (count < bits) { held |= packed[at++] << count; count += 8; }
      const value = held & ((1 << bits) - 1);
      held >>>= bits;
      count -= bits;
      return value;
    }
    function symbol({ entries, mask }) {
      while (count < LONGEST) { held |= packed[at++] << count; count += 8; }
      const entry = entries[held & mask];
      held >>>= entry & LONGEST;
      count -= entry & LONGEST;
      return entry >> 4;
    }
    function codes() {
      const [literals, distances, described] = [take(5) + 257, take(5) + 1, take(4) + 4];
      const meta = Array(19).fill(0);
      for (const which of ORDER.slice(0, described)) meta[which] = take(3);
      const [of, lengths] = [table(meta), []];
      while (lengths.length < literals + distances) {
        const next = symbol(of);
        if (next < 16) lengths.push(next);
        else {
          const [least, bits] = { 16: [3, 2], 17: [3, 3], 18: [11, 7] }[next];
          const repeated = next === 16 ? lengths.at(-1) : 0;
          for (let left = least + take(bits); left; left -= 1) lengths.push(repeated);
        }
      }
      return [lengths.slice(0, literals), lengths.slice(literals)];
    }
    function stored() {
      at -= count >> 3; // whole bytes that were read ahead
      [held, count] = [0, 0];
      const size = packed[at] | (packed[at + 1] << 8);
      out.set(packed.subarray(at + 4, at + 4 + size), to);
      at += 4 + size;
      to += size;
    }
    function compressed(literals, distances) {
      for (let next = symbol(literals); next !== 256; next = symbol(literals)) {
        if (next < 256) { out[to++] = next; continue; }
        const length = LENGTHS[next - 257].from + take(LENGTHS[next - 257].bits);
        const { from, bits } = DISTANCES[symbol(distances)];
        const back = from + take(bits);
        for (const end = to + length; to < end; to += 1) out[to] = out[to - back];
      }
    }
    for (let last = 0; !last;) {
      last = take(1);
      const kind = take(2);
      if (kind === 0) stored();
      else compressed(...(kind === 1 ? FIXED : codes()).map(table));
    }
    return out;
  }

  return (text) => {
    const packed = bytesOf(text);
    const size = new DataView(packed.buffer).getUint32(packed.length - 4, true);
    return new TextDecoder().decode(inflated(packed, 10, size)); // after gzip's head without a name
  };
})();
