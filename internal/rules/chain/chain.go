// Package chain links the events of a workspace, so that a row which was changed, taken away or put in between later is seen.
//
// Events get consecutive numbers, from 1, in the order in which they are sealed. Each has a hash:
//
//	hash(0) = SHA-256("grapevine log" || workspace id)
//	hash(n) = SHA-256(hash(n-1) || id || type || subject type || subject id || data || note digest || created at)
//
// Ids are their 16 bytes, the time is microseconds since 1970 as 8 bytes, and what has no fixed length goes behind its length, as 8
// bytes: all numbers are big-endian. Data is the text of the stored JSON, as PostgreSQL writes a jsonb. The words of a person are not in
// the chain but their digest is, SHA-256 of a random salt and the words, so that words and salt can be erased and the chain stays whole.
//
// Every CheckpointEvery-th hash is stored a second time. Whoever changes a row can make the chain after it anew, but then the copies
// differ, and those that somebody keeps elsewhere.
package chain

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// CheckpointEvery is how many events lie between two copies of the hash.
const CheckpointEvery = 1000

// Hash is SHA-256.
type Hash = [sha256.Size]byte

// Event is what the chain holds of an event. NoteDigest is nil where there never was a note.
type Event struct {
	ID                [16]byte
	Type, SubjectType string
	SubjectID         [16]byte
	Data, NoteDigest  []byte
	CreatedAt         time.Time

	Note *string // nil: there never was one, or it was erased
	Salt []byte
}

// Genesis is the hash before the first event of a workspace.
func Genesis(workspace [16]byte) Hash {
	return sha256.Sum256(append([]byte("grapevine log"), workspace[:]...))
}

// Next is the hash of the event that follows a hash, as the formula of the package has it. The time counts in whole microseconds.
func Next(before Hash, e Event) Hash {
	b := append(before[:], e.ID[:]...)
	b = text(b, []byte(e.Type))
	b = text(b, []byte(e.SubjectType))
	b = append(b, e.SubjectID[:]...)
	b = text(b, e.Data)
	b = text(b, e.NoteDigest)
	return sha256.Sum256(binary.BigEndian.AppendUint64(b, uint64(e.CreatedAt.UnixMicro())))
}

func text(b, s []byte) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(len(s))), s...)
}

// NoteDigest is what the chain holds of the words of a person: SHA-256 of the salt and, right behind it, the words.
func NoteDigest(salt []byte, note string) []byte {
	sum := sha256.Sum256(append(bytes.Clone(salt), note...))
	return sum[:]
}

// Fault is what is wrong where the chain is broken.
type Fault string

// The faults, as the contract lists them.
const (
	Changed    Fault = "changed"    // the event or its hash is not what it was
	Missing    Fault = "missing"    // the event, its place in the chain or its marker is gone
	Checkpoint Fault = "checkpoint" // the copy of the hash differs or is gone: the chain before it may have been made anew
	End        Fault = "end"        // the chain does not end where it should
	Stray      Fault = "stray"      // there is an event that no transaction of the log wrote
)

// Link is one stored place in the chain. Event is nil when it is not there, Checkpoint when there is no copy of the hash.
type Link struct {
	Seq              int64
	Event            *Event
	Hash, Checkpoint []byte
}

// Walk goes along a chain. It has verified everything up to Seq, whose hash is Hash, and Checkpoint is the last place at which a copy
// was found to be right.
type Walk struct {
	Seq, Checkpoint int64
	Hash            Hash
}

// Step verifies the next link and goes on to it. Where it finds a fault it stays, and says where the chain is broken first: what
// follows cannot be verified.
func (w *Walk) Step(l Link) (Fault, int64) {
	at := w.Seq + 1
	if l.Seq != at || l.Event == nil {
		return Missing, at
	}
	next := Next(w.Hash, *l.Event)
	if !bytes.Equal(next[:], l.Hash) || !l.Event.noteHolds() {
		return Changed, at
	}
	if at%CheckpointEvery == 0 {
		if !bytes.Equal(l.Hash, l.Checkpoint) {
			return Checkpoint, w.Checkpoint + 1
		}
		w.Checkpoint = at
	}
	w.Seq, w.Hash = at, next
	return "", 0
}

func (e Event) noteHolds() bool {
	return e.Note == nil || bytes.Equal(NoteDigest(e.Salt, *e.Note), e.NoteDigest)
}
