// A list operation takes options of its own; `options` below is checked against them.
type List = (options: any) => Promise<{ data: { data: unknown[]; next_cursor: string | null } }>;
type Item<L extends List> = Awaited<ReturnType<L>>['data']['data'][number];

/** Gives the items of a list operation one by one, asking for further pages as they are needed. */
export async function* paginate<L extends List>(
  list: L,
  ...[options]: Parameters<L>
): AsyncGenerator<Item<L>, void, undefined> {
  for (let query = { ...options?.query }; ; ) {
    const { data: page } = await list({ ...options, query });
    yield* page.data as Item<L>[];
    if (!page.next_cursor) return;
    query = { ...query, cursor: page.next_cursor };
  }
}
