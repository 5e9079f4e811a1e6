package clicks

import (
	"crypto/rand"
	"encoding/binary"
	"time"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/gen/db"
)

// copyRows is the statement that a lane's rows go through; appendRow writes its columns, in this order.
const copyRows = `COPY clicks (
	workspace_id, id, batch_id, program_id, code_id, referrer_id, classification, source, consent, visitor, visitor_key,
	address_hash, utm, referrer_host, day, occurred_at, received_at
) FROM STDIN BINARY`

const copyColumns = 17

// copyHeader and copyTrailer frame the rows, as PostgreSQL's binary COPY format asks: signature, flags, length of no extension; and
// a row with -1 columns.
var (
	copyHeader  = append([]byte("PGCOPY\n\xff\r\n\x00"), make([]byte, 8)...)
	copyTrailer = []byte{0xff, 0xff}
)

// epoch is where PostgreSQL counts days and microseconds from.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// appendRow encodes a click. Encoding it while it is queued leaves the lane nothing to do but to send, and takes a third of the
// time of pgx's CopyFrom, which also asks the server for the columns' types each time.
func appendRow(b []byte, c *db.Click) []byte {
	b = binary.BigEndian.AppendUint16(b, copyColumns)
	for _, id := range [...]*uuid.UUID{&c.WorkspaceID, &c.ID, &c.BatchID, &c.ProgramID, &c.CodeID, &c.ReferrerID} {
		b = appendField(b, id[:])
	}
	b = appendText(b, c.Classification)
	b = appendText(b, c.Source)
	b = appendText(b, c.Consent)
	b = appendField(b, c.Visitor)
	b = appendField(b, c.VisitorKey)
	b = appendField(b, c.AddressHash)
	if c.Utm == nil {
		b = appendField(b, nil)
	} else {
		b = binary.BigEndian.AppendUint32(b, uint32(len(c.Utm)+1))
		b = append(append(b, 1), c.Utm...) // the version of the format of jsonb
	}
	if c.ReferrerHost == nil {
		b = appendField(b, nil)
	} else {
		b = appendText(b, *c.ReferrerHost)
	}
	b = binary.BigEndian.AppendUint32(b, 4)
	b = binary.BigEndian.AppendUint32(b, uint32(int32(c.Day.Sub(epoch)/(24*time.Hour))))
	for _, t := range [...]time.Time{c.OccurredAt, c.ReceivedAt} {
		b = binary.BigEndian.AppendUint32(b, 8)
		b = binary.BigEndian.AppendUint64(b, uint64(t.UnixMicro()-epoch.UnixMicro()))
	}
	return b
}

// appendField encodes bytes, and nil as NULL.
func appendField(b, field []byte) []byte {
	if field == nil {
		return binary.BigEndian.AppendUint32(b, 0xffffffff)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(field)))
	return append(b, field...)
}

func appendText(b []byte, text string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
	return append(b, text...)
}

// newID makes a UUID v7 of the millisecond and 74 random bits. The library's spends twelve of these on the order within a
// millisecond, which nothing here needs; ids that visitors see must not be guessed from their neighbours.
func newID(now time.Time) (id uuid.UUID) {
	_, _ = rand.Read(id[6:]) // never fails
	ms := uint64(now.UnixMilli())
	binary.BigEndian.PutUint16(id[:2], uint16(ms>>32))
	binary.BigEndian.PutUint32(id[2:6], uint32(ms))
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}
