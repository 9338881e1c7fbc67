"""The four tables, and every transition of them. Nothing else talks to DynamoDB."""
