package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"gorm.io/gorm"

	"ssm/satellite"
)

// transaction implements satellite.Tx, for a view (writer nil) and an update.
type transaction struct {
	db         *gorm.DB
	statements statements
	writer     *writer
}

// statements runs the few statements of the device path.
type statements interface {
	exec(query string, args ...any) (sql.Result, error)
	query(query string, args ...any) (*sql.Rows, error)
}

// prepared keeps each of them prepared on its connection.
type prepared struct {
	connection *sql.Conn
	byText     map[string]*sql.Stmt
	wrote      bool // since the running function began
}

func newPrepared(connection *sql.Conn) *prepared {
	return &prepared{connection: connection, byText: map[string]*sql.Stmt{}}
}

func (p *prepared) prepare(query string) (*sql.Stmt, error) {
	if s, ok := p.byText[query]; ok {
		return s, nil
	}
	s, err := p.connection.PrepareContext(context.Background(), query)
	if err == nil {
		p.byText[query] = s
	}
	return s, err
}

func (p *prepared) exec(query string, args ...any) (sql.Result, error) {
	p.wrote = true
	s, err := p.prepare(query) //nolint:sqlclosecheck // kept until the connection closes
	if err != nil {
		return nil, err
	}
	return s.ExecContext(context.Background(), args...)
}

func (p *prepared) query(query string, args ...any) (*sql.Rows, error) {
	s, err := p.prepare(query) //nolint:sqlclosecheck // kept until the connection closes
	if err != nil {
		return nil, err
	}
	return s.QueryContext(context.Background(), args...)
}

func (p *prepared) close() error {
	var err error
	for _, s := range p.byText {
		err = errors.Join(err, s.Close())
	}
	return err
}

// tracked notes when gorm writes. gorm inserts with RETURNING, which is a query.
type tracked struct {
	*sql.Conn
	wrote *bool
}

func (t tracked) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	*t.wrote = true
	return t.Conn.ExecContext(ctx, query, args...)
}

func (t tracked) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	*t.wrote = *t.wrote || len(query) < 6 || query[:6] != "SELECT"
	return t.Conn.QueryContext(ctx, query, args...)
}

// nextChange is the number of a write to a row that goes upstream.
func (t *transaction) nextChange() int64 {
	t.writer.position.change++
	return t.writer.position.change
}

// one reads the single row of a query on the device path.
func (t *transaction) one(noun string, name any, into []any, query string, args ...any) error {
	rows, err := t.statements.query(query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return err
		}
		return satellite.NotFound(noun, name)
	}
	if err := rows.Scan(into...); err != nil {
		return err
	}
	return rows.Close()
}

// found turns gorm's "no row" into the domain's.
func found(err error, noun string, name any) error {
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return satellite.NotFound(noun, name)
	}
	return err
}

// unique turns gorm's "exists already" into the domain's.
func unique(err error, noun, message string) error {
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return &satellite.Error{Kind: satellite.KindConflict, Code: noun + "-exists", Message: message + " Nothing was changed.", Err: err}
	}
	return err
}

// micros is a time in the database; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func instant(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

func hash32(b []byte) (h [32]byte) {
	copy(h[:], b)
	return h
}

// upperBound is the smallest text that is greater than every text with the
// prefix, so that a prefix search is a range on an index. U+10FFFF is the
// greatest character there is.
func upperBound(prefix string) string { return prefix + "\U0010FFFF" }
