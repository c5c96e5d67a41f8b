// Answers queries through clickhouse-go over HTTP, as Grafana's ClickHouse data source asks them:
// one JSON object a line in, {"sql", "insert", "zone"}, one out, {"columns", "types", "rows", "error"}.
// With a zone, that of the dashboard is set as the data source sets it, and as the session's too.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

type question struct {
	SQL    string  `json:"sql"`
	Insert [][]any `json:"insert"`
	Zone   string  `json:"zone"`
}

type answer struct {
	Columns []string   `json:"columns"`
	Types   []string   `json:"types"`
	Rows    [][]string `json:"rows"`
	Error   string     `json:"error"`
}

func main() {
	connection, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{os.Args[1]}, Protocol: clickhouse.HTTP,
		Auth:        clickhouse.Auth{Database: os.Args[2], Username: "default"},
		Compression: &clickhouse.Compression{Method: clickhouse.CompressionGZIP},
	})
	if err != nil {
		panic(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			panic(err)
		}
		var found answer
		if err := respond(connection, asked, &found); err != nil {
			found.Error = err.Error()
		}
		_ = json.NewEncoder(os.Stdout).Encode(found)
	}
}

func respond(connection clickhouse.Conn, asked question, found *answer) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if asked.Zone != "" {
		zone, err := time.LoadLocation(asked.Zone)
		if err != nil {
			return err
		}
		ctx = clickhouse.Context(ctx, clickhouse.WithUserLocation(zone),
			clickhouse.WithSettings(clickhouse.Settings{"session_timezone": asked.Zone}))
	}
	if asked.Insert != nil {
		return insert(ctx, connection, asked)
	}
	rows, err := connection.Query(ctx, asked.SQL)
	if err != nil {
		return err
	}
	defer rows.Close()
	found.Columns = rows.Columns()
	kinds := rows.ColumnTypes()
	for _, kind := range kinds {
		found.Types = append(found.Types, kind.DatabaseTypeName())
	}
	for rows.Next() {
		values := make([]any, len(found.Columns))
		row := make([]string, len(values))
		for at := range values {
			values[at] = reflect.New(kinds[at].ScanType()).Interface()
		}
		if err := rows.Scan(values...); err != nil {
			return err
		}
		for at, value := range values {
			row[at] = text(reflect.ValueOf(value).Elem().Interface())
		}
		found.Rows = append(found.Rows, row)
	}
	return rows.Err()
}

func insert(ctx context.Context, connection clickhouse.Conn, asked question) error {
	batch, err := connection.PrepareBatch(ctx, asked.SQL)
	if err != nil {
		return err
	}
	for _, row := range asked.Insert {
		if err := batch.Append(row...); err != nil {
			return err
		}
	}
	return batch.Send()
}

func text(value any) string {
	if pointer := reflect.ValueOf(value); pointer.Kind() == reflect.Pointer {
		if pointer.IsNil() {
			return "null"
		}
		return text(pointer.Elem().Interface())
	}
	if instant, ok := value.(time.Time); ok {
		return instant.Format(time.RFC3339) + " " + instant.Location().String()
	}
	return fmt.Sprint(value)
}
