export default function Page() {
  return <p>See /api/models.</p>;
}
